// Streamlit's page menu puts the headings of its sections into its lists, so that no list is one to a screen reader (axe: list,
// listitem). The menu is a <nav> of links; the broken list roles are taken off it.
export default function () {
  const mend = () => {
    for (const e of document.querySelectorAll('[data-testid="stSidebarNav"] :is(ul, li):not([role])')) e.setAttribute("role", "none");
  };
  mend();
  const watch = new MutationObserver(mend);
  const menu = document.querySelector('[data-testid="stSidebar"]');
  if (menu) watch.observe(menu, { childList: true, subtree: true });
  return () => watch.disconnect();
}

// Streamlit's page menu puts the headings of its sections into its lists, so that no list is one to a screen reader (axe: list,
// listitem). The menu is a <nav> of links; the broken list roles are taken off it.
export default function () {
  const broken = '[data-testid="stSidebarNav"] :is(ul, li):not([role])';
  const mend = () => document.querySelectorAll(broken).forEach((e) => e.setAttribute("role", "none"));
  mend();
  const watch = new MutationObserver(mend);
  watch.observe(document.querySelector('[data-testid="stSidebar"]') ?? document.body, { childList: true, subtree: true });
  return () => watch.disconnect();
}

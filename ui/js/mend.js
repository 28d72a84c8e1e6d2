// Streamlit's page menu, a <nav>, has headings in its lists, which are then none to screen readers (axe: list, listitem): no lists.
export default function () {
  const broken = '[data-testid="stSidebarNav"] :is(ul, li):not([role])';
  const mend = () => document.querySelectorAll(broken).forEach((e) => e.setAttribute("role", "none"));
  mend();
  const watch = new MutationObserver(mend);
  watch.observe(document.querySelector('[data-testid="stSidebar"]') ?? document.body, { childList: true, subtree: true });
  return () => watch.disconnect();
}

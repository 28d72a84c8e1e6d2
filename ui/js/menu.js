// The menu of pages: a landmark for screen readers, which on a narrow screen makes way for the page that was chosen.
export default function ({ parentElement }) {
  const menu = parentElement.closest(".st-key-menu"), narrow = matchMedia("(max-width: 768px)");
  Object.assign(menu, { role: "navigation", ariaLabel: "Pages" });
  menu.onclick = ({ target }) => {
    if (narrow.matches && target.closest("a")) document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  };
}

// The menu of pages: a landmark that says which page is open, and on a narrow screen makes way for the page that was chosen.
export default function ({ parentElement, data }) {
  const menu = Object.assign(parentElement.closest(".st-key-menu"), { role: "navigation", ariaLabel: "Pages" });
  menu.querySelectorAll("a").forEach((link, i) => { link.ariaCurrent = i === data.open ? "page" : null; });
  const close = () => document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  menu.onclick = ({ target }) => target.closest("a") && matchMedia("(max-width: 768px)").matches && close();
}

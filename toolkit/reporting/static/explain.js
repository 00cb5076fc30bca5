/* Every number explains itself: a click on it, or on its name, shows how it is made, beside where the reader is. */
(() => {
  const dialog = document.getElementById("why");
  if (!dialog) return;
  const place = dialog.querySelector(".shown");
  const back = dialog.querySelector("[data-why=back]");
  const list = dialog.querySelector("[data-why=list]");
  const trail = [];

  /* What explains a number: a detail of the list of formulas, or a row of a table with a word for each of its cells. */
  const copied = (source) => {
    if (source.tagName !== "TR") {
      const copy = source.cloneNode(true);
      [copy, ...copy.querySelectorAll("details")].forEach((part) => (part.open = true));
      [copy, ...copy.querySelectorAll("[id]")].forEach((part) => part.removeAttribute("id"));
      return copy;
    }
    const heads = [...source.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent);
    const words = document.createElement("dl");
    [...source.cells].forEach((cell, i) => {
      const [name, said] = [document.createElement("dt"), document.createElement("dd")];
      name.textContent = heads[i];
      said.append(...[...cell.childNodes].map((part) => part.cloneNode(true)));
      words.append(name, said);
    });
    return words;
  };

  const show = (id) => {
    const source = document.getElementById(id);
    if (!source) return false;
    place.replaceChildren(copied(source));
    dialog.dataset.shows = id;
    list.setAttribute("href", `#${id}`);
    back.hidden = trail.length < 2;
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    return true;
  };
  const close = () => (dialog.close(), (trail.length = 0));

  /* A number in a table leads where its own link leads, else its row's, else the table's. */
  const linkOf = (target) => {
    const cell = !target.closest("a, button") && target.closest("td.number");
    if (!cell || String(window.getSelection())) return null;
    return cell.querySelector("a.why") || cell.parentElement.querySelector("th a.why") || cell.closest("table").querySelector("caption a.why");
  };

  document.addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a.why") || linkOf(event.target);
    if (!link) return;
    const id = link.getAttribute("href").slice(1);
    trail.push(id);
    if (show(id)) event.preventDefault();
    else trail.pop();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", () => (trail.length = 0));
  dialog.querySelector("[data-why=close]").addEventListener("click", close);
  list.addEventListener("click", close);
  back.addEventListener("click", () => (trail.pop(), show(trail[trail.length - 1]), dialog.focus()));
})();

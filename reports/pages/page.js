// Buttons of a page. None of them is shown where scripts do not run.
"use strict";

for (const button of document.querySelectorAll(".copy")) {
  const line = button.previousElementSibling;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line.textContent);
      button.textContent = "Copied";
    } catch {
      // A page from a file may not reach the clipboard: then the line is selected, ready for ctrl-C.
      getSelection().selectAllChildren(line);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

function addButton(parent, label, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => act(button));
  parent.append(button);
  return button;
}

document.querySelectorAll(".drawing").forEach((drawing, place) => {
  const pick = document.createElement("p");
  pick.className = "pick";
  pick.setAttribute("aria-live", "polite");
  if (place === 0) pick.textContent = "Click on a mark to read it here.";
  const say = (target) => {
    let mark = target;
    while (mark.tagName !== "a" && mark.parentNode.tagName !== "svg" && !mark.querySelector(":scope > title")) {
      if (mark === drawing) return;
      mark = mark.parentNode;
    }
    const title = mark.querySelector("title");
    if (title && mark.tagName !== "svg") pick.textContent = title.textContent;
  };
  drawing.after(pick);
  drawing.addEventListener("click", (event) => say(event.target));
  drawing.addEventListener("focusin", (event) => say(event.target));
  const witness = drawing.querySelector(".op.witness");
  if (witness) drawing.scrollLeft = Math.max(0, witness.getBBox().x - 200);
});

// Tables of runs: sort by a column, keep what holds a text and has a verdict that is wanted.
for (const table of document.querySelectorAll("table.all")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const name = head.textContent;
    head.textContent = "";
    addButton(head, name, () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows.sort((a, b) => value(a, column).localeCompare(value(b, column), "en", { numeric: true }) * (down ? -1 : 1));
      body.append(...rows);
    });
  });
  const search = document.querySelector(".search");
  const text = search.querySelector("input[type=search]");
  const boxes = [...search.querySelectorAll("input[type=checkbox]")];
  const count = search.querySelector("output");
  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let kept = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !wanted.has(row.dataset.valid) || !words.every((word) => content.includes(word));
      kept += !row.hidden;
    }
    count.textContent = kept + " of " + rows.length;
  };
  search.addEventListener("input", filter);
  search.hidden = false;
  filter();
}

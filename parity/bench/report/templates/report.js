"use strict";
// Without this script every table is there, in the order of the result.
const numbers = (column) => column.every((key) => key === "" || Number.isFinite(Number(key)));

function sort(table, index, direction) {
  const body = table.tBodies[0];
  const key = (row) => row.cells[index].dataset.key;
  const rows = [...body.rows];
  const numeric = numbers(rows.map(key));
  const text = new Intl.Collator("en", { numeric: true });
  rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    // What has no number stays at the end in both directions.
    if (x === "" || y === "") return (x === "") - (y === "");
    return direction * (numeric ? x - y : text.compare(x, y));
  });
  body.append(...rows);
}

function press(table, head) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  sort(table, head.cellIndex, up ? 1 : -1);
  document.getElementById("status").textContent =
    `Sorted by ${head.textContent}, ${up ? "ascending" : "descending"}`;
}

for (const table of document.querySelectorAll("table")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => press(table, head));
  }
}

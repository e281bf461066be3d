"use strict";
// Sorts a table by a column, by a click on its head or the keyboard: up, down, as it was.

// Numbers first, then words, then empty cells; of a cell such as "0.38 ± 0.02" the first number.
const NUMBER = /^[-+\u2212]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/i;
const keyOf = (row, column) => {
  const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
  if (text === "" || /^nan\b/i.test(text)) return { kind: 2, value: 0 };
  if (/^[-+]?inf/i.test(text)) return { kind: 0, value: text[0] === "-" ? -Infinity : Infinity };
  const number = text.replace(/(\d),(?=\d{3}\b)/g, "$1").match(NUMBER);
  if (number) return { kind: 0, value: Number(number[0].replace("\u2212", "-")) };
  return { kind: 1, value: text };
};
const compare = (a, b) =>
  a.kind === 1 ? a.value.localeCompare(b.value) : a.value === b.value ? 0 : a.value < b.value ? -1 : 1;

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

for (const table of document.querySelectorAll("article table")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  if (!body) continue;
  const rows = [...body.rows];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = NEXT[head.getAttribute("aria-sort")];
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      const sign = next === "descending" ? -1 : 1;
      const keyed = rows.map((row) => ({ row, key: keyOf(row, column) }));
      if (next !== "none")
        keyed.sort((a, b) => a.key.kind - b.key.kind || sign * compare(a.key, b.key));
      body.append(...keyed.map(({ row }) => row));
    });
  });
}

"use strict";
const AT_FIRST = 10, MORE = 50;
const articles = [...document.querySelectorAll("article")];
const items = articles.map(article => JSON.parse(article.dataset.items));
const form = document.getElementById("filters");
const more = document.getElementById("more");
const plain = text => text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();
const chosen = name => document.getElementById(name)?.value ?? "";
let limit = AT_FIRST, texts;

function wordsOf(article) {
  const gold = article.querySelector("p").cloneNode(true);
  gold.querySelectorAll("b").forEach(label => label.remove());
  return plain(gold.textContent);
}

function show() {
  const model = chosen("model"), type = chosen("type"), kind = chosen("kind"), text = plain(chosen("text"));
  if (text) texts ??= articles.map(wordsOf);
  const matches = ([ofModel, ofKind, ofType]) =>
    (model === "" || String(ofModel) === model) && (type === "" || ofType === type) &&
    (kind === "" || ofKind === kind || (kind === "error" && ofKind !== "correct"));
  let matching = 0;
  articles.forEach((article, index) => {
    const fits = ((model + type + kind) === "" || items[index].some(matches)) && (!text || texts[index].includes(text));
    article.hidden = !fits || matching >= limit;
    matching += fits;
  });
  const visible = Math.min(matching, limit);
  document.getElementById("count").textContent =
    `${matching} of ${articles.length} sentences` + (visible < matching ? `, the first ${visible} shown` : "");
  more.hidden = visible === matching;
}

const anew = () => { limit = AT_FIRST; show(); };
form.addEventListener("input", anew);
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("reset", () => setTimeout(anew));
more.addEventListener("click", () => {
  const before = articles.filter(article => !article.hidden).length;
  limit += MORE;
  show();
  const next = articles.filter(article => !article.hidden)[before].querySelector("h3");
  next.tabIndex = -1;
  next.focus();
});
form.hidden = false;
show();

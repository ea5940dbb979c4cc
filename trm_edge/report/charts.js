"use strict";

document.documentElement.classList.add("js");

// Colours are CSS variables of the page; they are resolved again when light and dark change.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const settings = { responsive: true, displayModeBar: false };
  const variable = /^var\((--[\w-]+)\)$/;

  function withColours(value, key, style) {
    if (Array.isArray(value)) return value.map((item) => withColours(item, key, style));
    if (value !== null && typeof value === "object") {
      const entries = Object.entries(value);
      return Object.fromEntries(entries.map(([name, item]) => [name, withColours(item, name, style)]));
    }
    const match = key.endsWith("color") ? variable.exec(value) : null;
    return match ? style.getPropertyValue(match[1]).trim() : value;
  }

  function draw() {
    const style = getComputedStyle(document.documentElement);
    figures.forEach((figure, index) => {
      const { data, layout } = withColours(figure, "", style);
      Plotly.react(`chart-${index}`, data, layout, settings);
    });
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();

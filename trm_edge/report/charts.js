"use strict";

document.documentElement.classList.add("js");

// Colours are the page's CSS variables: they are looked up anew when light and dark change.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const settings = { responsive: true, displayModeBar: false };
  const variable = /^var\((--[\w-]+)\)$/;

  function coloured(value, key, style) {
    if (Array.isArray(value)) return value.map((one) => coloured(one, key, style));
    if (value !== null && typeof value === "object") {
      const pairs = Object.entries(value);
      return Object.fromEntries(pairs.map(([name, one]) => [name, coloured(one, name, style)]));
    }
    const found = key.endsWith("color") ? variable.exec(value) : null;
    return found ? style.getPropertyValue(found[1]).trim() : value;
  }

  function draw() {
    const style = getComputedStyle(document.documentElement);
    figures.forEach((figure, place) => {
      const { data, layout } = coloured(figure, "", style);
      Plotly.react(`chart-${place}`, data, layout, settings);
    });
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();

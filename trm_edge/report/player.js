
// A puzzle, step by step. Step 0 is the puzzle itself.
(() => {
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const all = JSON.parse(document.getElementById("refinements").textContent);

  all.forEach((data, place) => {
    const figure = document.getElementById(`refinement-${place}`);
    const cells = figure.querySelectorAll(".board span");
    const bars = figure.querySelectorAll(".sure li");
    const [play, back, on] = figure.querySelectorAll("button");
    const slider = figure.querySelector("input");
    const now = figure.querySelector(".now");
    const last = data.steps.length;
    let step = 0;
    let timer = null;

    function told() {
      if (step === 0) return "The puzzle.";
      const count = data.changed[step - 1].length;
      const sure = (100 * data.confidence[step - 1]).toFixed(1);
      const end = step === last ? " This is its answer." : "";
      return `Step ${step} of ${last}: ${sure} % sure, ${count} cell${count === 1 ? "" : "s"} changed.${end}`;
    }

    function show(next) {
      step = Math.min(Math.max(next, 0), last);
      const tokens = step ? data.steps[step - 1] : data.puzzle;
      const changed = new Set(step ? data.changed[step - 1] : []);
      cells.forEach((cell, place) => {
        const [text, kind] = data.looks[tokens[place]];
        const given = tokens[place] === data.puzzle[place] ? " given" : "";
        cell.textContent = text;
        cell.className = kind + given + (changed.has(place) ? " changed" : "");
        cell.style.setProperty("--token", tokens[place]);
      });
      bars.forEach((bar, place) => bar.classList.toggle("at", place === step - 1));
      slider.value = step;
      now.textContent = told();
      slider.setAttribute("aria-valuetext", told());
      back.disabled = step === 0;
      on.disabled = step === last;
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
    }

    function tick() {
      show(step + 1);
      if (step === last) stop();
    }

    play.addEventListener("click", () => {
      if (timer !== null) {
        stop();
        return;
      }
      if (step === last) show(0);
      play.textContent = "Pause";
      timer = setInterval(tick, calm.matches ? 2000 : 800);
    });
    const by = (change) => () => {
      stop();
      show(step + change);
    };
    back.addEventListener("click", by(-1));
    on.addEventListener("click", by(1));
    slider.addEventListener("input", () => {
      stop();
      show(Number(slider.value));
    });
    show(0);
  });
})();

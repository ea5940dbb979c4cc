
// A puzzle, step by step. Step 0 is the puzzle itself.
(() => {
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  const refinements = JSON.parse(document.getElementById("refinements").textContent);

  refinements.forEach((data, index) => {
    const figure = document.getElementById(`refinement-${index}`);
    const cells = figure.querySelectorAll(".board span");
    const bars = figure.querySelectorAll(".confidence li");
    const [play, back, forward] = figure.querySelectorAll("button");
    const slider = figure.querySelector("input");
    const status = figure.querySelector(".status");
    const last = data.steps.length;
    let step = 0;
    let timer = null;

    function describe() {
      if (step === 0) return "The puzzle.";
      const count = data.changed[step - 1].length;
      const confidence = (100 * data.confidence[step - 1]).toFixed(1);
      const end = step === last ? " This is the answer." : "";
      return `Step ${step} of ${last}: ${confidence} % confidence, ${count} cell${count === 1 ? "" : "s"} changed.${end}`;
    }

    function show(next) {
      step = Math.min(Math.max(next, 0), last);
      const tokens = step ? data.steps[step - 1] : data.puzzle;
      const changed = new Set(step ? data.changed[step - 1] : []);
      cells.forEach((cell, position) => {
        const [text, name] = data.looks[tokens[position]];
        const clue = tokens[position] === data.puzzle[position] ? " clue" : "";
        cell.textContent = text;
        cell.className = name + clue + (changed.has(position) ? " changed" : "");
        cell.style.setProperty("--token", tokens[position]);
      });
      bars.forEach((bar, position) => bar.classList.toggle("at", position === step - 1));
      slider.value = step;
      status.textContent = describe();
      slider.setAttribute("aria-valuetext", describe());
      back.disabled = step === 0;
      forward.disabled = step === last;
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
      timer = setInterval(tick, reducedMotion.matches ? 2000 : 800);
    });
    const moveBy = (change) => () => {
      stop();
      show(step + change);
    };
    back.addEventListener("click", moveBy(-1));
    forward.addEventListener("click", moveBy(1));
    slider.addEventListener("input", () => {
      stop();
      show(Number(slider.value));
    });
    show(0);
  });
})();

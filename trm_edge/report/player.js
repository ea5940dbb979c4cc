// A puzzle, step by step. Step 0 is the puzzle itself.

const SECONDS = { normal: 0.8, reducedMotion: 2 };

/**
 * Bring a figure to life: its board, its controls and its bars of confidence.
 * @param {HTMLElement} figure has them as its content.
 * @param {object} data `looks` of the token ids, the `puzzle`, and by step `steps`, `changed` and
 *   `confidence`. Steps may be added later, until `isComplete` is set or missing; see `update`.
 */
export function createPlayer(figure, data) {
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  const cells = figure.querySelectorAll(".board span");
  const bars = figure.querySelector(".confidence").children;
  const [play, back, forward] = figure.querySelectorAll("button");
  const slider = figure.querySelector("input");
  const status = figure.querySelector(".status");
  let step = 0;
  let timer = null;

  const last = () => data.steps.length;
  const isComplete = () => data.isComplete ?? true;

  function describe() {
    if (step === 0) return "The puzzle.";
    const count = data.changed[step - 1].length;
    const confidence = (100 * data.confidence[step - 1]).toFixed(1);
    const end = isComplete() && step === last() ? " This is the answer." : "";
    return `Step ${step} of ${last()}: ${confidence} % confidence, ${count} cell${count === 1 ? "" : "s"} changed.${end}`;
  }

  function show(next) {
    step = Math.min(Math.max(next, 0), last());
    const tokens = step ? data.steps[step - 1] : data.puzzle;
    const changed = new Set(step ? data.changed[step - 1] : []);
    cells.forEach((cell, position) => {
      const [text, name] = data.looks[tokens[position]];
      const clue = tokens[position] === data.puzzle[position] ? " clue" : "";
      cell.textContent = text;
      cell.className = name + clue + (changed.has(position) ? " changed" : "");
      cell.style.setProperty("--token", tokens[position]);
    });
    [...bars].forEach((bar, position) => bar.classList.toggle("at", position === step - 1));
    slider.max = last();
    slider.value = step;
    status.textContent = describe();
    slider.setAttribute("aria-valuetext", describe());
    back.disabled = step === 0;
    forward.disabled = step === last();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function tick() {
    if (step < last()) show(step + 1);
    if (step === last() && isComplete()) stop();
  }

  function start() {
    stop();
    if (step === last() && isComplete()) show(0);
    play.textContent = "Pause";
    const { normal, reducedMotion: slow } = SECONDS;
    timer = setInterval(tick, 1000 * (reducedMotion.matches ? slow : normal));
  }

  play.addEventListener("click", () => {
    if (timer === null) start();
    else stop();
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
  return {
    show,
    start,
    stop,
    /** Take notice of steps that were added to the data. */
    update: () => show(step),
  };
}

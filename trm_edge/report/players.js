
// The puzzles of the report.
const refinements = JSON.parse(document.getElementById("refinements").textContent);
refinements.forEach((data, index) => {
  createPlayer(document.getElementById(`refinement-${index}`), data);
});

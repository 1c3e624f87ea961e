// The direction of imports (CONTRIBUTING.md, "The house"): wire <- features <- system, desktop <- programs.
const forbid = (name, from, to, comment) => ({ name, comment, severity: "error", from, to });

module.exports = {
  forbidden: [
    forbid(
      "wire-imports-nothing",
      { path: "^src/wire" },
      { pathNot: "^src/wire" },
      "wire is bytes only: no Node module, no other folder",
    ),
    forbid(
      "features-are-rules",
      { path: "^src/features" },
      { pathNot: "^src/(features|wire)|^src/support/(errors|clock)\\.ts$" },
      "features decide, they do not act: wire, errors and the clock's type are all they see",
    ),
    forbid(
      "system-not-desktop",
      { path: "^src/system" },
      { path: "^src/(desktop|programs|main|start)" },
      "system and desktop meet in wire/link",
    ),
    forbid(
      "desktop-not-system",
      { path: "^src/desktop" },
      { path: "^src/(system|programs|main|start)" },
      "system and desktop meet in wire/link",
    ),
    forbid(
      "support-is-the-floor",
      { path: "^src/support" },
      { path: "^src/(?!support|wire)" },
      "support serves every folder and knows none but wire",
    ),
    forbid(
      "programs-below-main",
      { path: "^src/programs" },
      { path: "^src/(main|start)" },
      "main starts programs, not the other way round",
    ),
    forbid("no-circles", {}, { circular: true }, "a circle means two files are one"),
    forbid("no-tests-in-src", { path: "^src" }, { path: "^test" }, "the program does not know its tests"),
    forbid("found", {}, { couldNotResolve: true }, "every import exists"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};

# The program, built from this tree. Its dependencies are a tree of their own, whose hash is fixed (dependencies.json, made by
# `npm run generate`): the lock file names no addresses, so that only npm itself can fetch them.
{
  lib,
  stdenv,
  stdenvNoCC,
  cacert,
  makeWrapper,
  installShellFiles,
  nodejs_24,
  alsa-utils,
  coreutils,
  getent,
  pulseaudio,
  systemd,
  wireplumber,
  xdg-utils,
}:
let
  manifest = lib.importJSON ../package.json;
  hashes = lib.importJSON ./dependencies.json;
  sourceOf =
    files:
    lib.fileset.toSource {
      root = ../.;
      fileset = lib.fileset.unions files;
    };

  dependencies = stdenvNoCC.mkDerivation {
    pname = "tsvdagent-dependencies";
    inherit (manifest) version;
    src = sourceOf [
      ../package.json
      ../package-lock.json
      ../.npmrc
      ../src
      ../scripts/needed-packages.mjs
    ];
    nativeBuildInputs = [
      nodejs_24
      cacert
    ];
    buildPhase = ''
      runHook preBuild
      HOME=$TMPDIR npm ci --ignore-scripts
      runHook postBuild
    '';
    installPhase = ''
      runHook preInstall
      node scripts/needed-packages.mjs node_modules $out/node_modules
      runHook postInstall
    '';
    dontFixup = true;
    outputHashMode = "recursive";
    outputHash =
      hashes.${stdenvNoCC.hostPlatform.system}
        or (throw "tsvdagent: no dependencies are known for ${stdenvNoCC.hostPlatform.system}");
  };

  # The session's own come first. The wrappers have what needs setuid, the system what a desktop brings (gsettings, xfconf-query).
  helpers = lib.makeBinPath [
    alsa-utils
    coreutils
    getent
    pulseaudio
    systemd
    wireplumber
    xdg-utils
  ];
in
stdenv.mkDerivation (finalAttrs: {
  pname = manifest.name;
  inherit (manifest) version;

  src = sourceOf [
    ../LICENSE
    ../package.json
    ../packaging
    ../scripts
    ../src
  ];

  nativeBuildInputs = [
    installShellFiles
    makeWrapper
    nodejs_24
  ];

  buildPhase = ''
    runHook preBuild
    ln -s ${finalAttrs.passthru.dependencies}/node_modules node_modules
    node scripts/build.mjs
    runHook postBuild
  '';

  installPhase = ''
    runHook preInstall
    node scripts/program-files.mjs . $out/lib/tsvdagent
    installManPage dist/man/*
    installShellCompletion --bash --name tsvdagent dist/completions/tsvdagent.bash
    installShellCompletion --zsh --name _tsvdagent dist/completions/_tsvdagent
    installShellCompletion --fish --name tsvdagent.fish dist/completions/tsvdagent.fish
    makeWrapper ${lib.getExe nodejs_24} $out/bin/tsvdagent \
      --add-flags $out/lib/tsvdagent/dist/tsvdagent.js \
      --suffix PATH : /run/wrappers/bin:${helpers}:/run/current-system/sw/bin
    runHook postInstall
  '';

  passthru = { inherit dependencies; };

  meta = {
    inherit (manifest) description;
    license = lib.licenses.mit;
    mainProgram = "tsvdagent";
    platforms = lib.filter (name: hashes ? ${name}) lib.platforms.linux;
  };
})

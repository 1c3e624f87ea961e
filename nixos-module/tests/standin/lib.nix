# A stand-in for nixpkgs' lib, of our own: as much of its modules, types and functions as the modules here use, with the same
# names, priorities and refusals. What it proves is in ../../README.md.
let
  inherit (builtins)
    all
    any
    attrNames
    concatLists
    concatMap
    elem
    elemAt
    filter
    foldl'
    functionArgs
    genList
    hasAttr
    head
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    mapAttrs
    match
    stringLength
    substring
    tail
    toJSON
    typeOf
    ;

  tagged = tag: value: isAttrs value && value ? _type && value._type == tag;
  isPlain = value: isAttrs value && !(value ? _type) && !(isDerivation value);
  isDerivation = value: isAttrs value && value ? type && value.type == "derivation";
  showPath = builtins.concatStringsSep ".";
  show = value: if isDerivation value then "a derivation" else if isFunction value then "a function" else toJSON value;
  refuse = loc: text: throw "The option `${showPath loc}' ${text}";
  names = sets: attrNames (foldl' (result: set: result // set) { } sets);

  # ------------------------------------------------------------------------------------------------------------ definitions

  # mkMerge, mkIf and mkOverride around an attribute set, moved to its attributes.
  pushed =
    value:
    if tagged "merge" value then
      concatMap pushed value.contents
    else if tagged "if" value then
      map (mapAttrs (_name: content: mkIf value.condition content)) (pushed value.content)
    else if tagged "override" value then
      map (mapAttrs (_name: content: mkOverride value.priority content)) (pushed value.content)
    else
      [ value ];

  # What is left of one definition: values with their priorities.
  discharged =
    priority: value:
    if tagged "merge" value then
      concatMap (discharged priority) value.contents
    else if tagged "if" value then
      (if value.condition then discharged priority value.content else [ ])
    else if tagged "override" value then
      discharged value.priority value.content
    else
      [ { inherit priority value; } ];

  strongest = found: foldl' (lowest: one: if one.priority < lowest then one.priority else lowest) 9999 found;

  # The merged value, and the priority that it has.
  resolved =
    loc: type: values:
    let
      found = concatMap (discharged 100) values;
      highestPrio = strongest found;
      standing = map (one: one.value) (filter (one: one.priority == highestPrio) found);
      wrong = filter (value: !type.check value) standing;
    in
    {
      inherit highestPrio;
      isDefined = found != [ ];
      value =
        if found == [ ] then
          refuse loc "is used but not defined."
        else if wrong != [ ] then
          refuse loc "has a definition that is not of type `${type.name}': ${show (head wrong)}"
        else
          type.merge loc standing;
    };

  equal =
    loc: values:
    if all (value: value == head values) values then
      head values
    else
      refuse loc "has conflicting definition values: ${builtins.concatStringsSep ", " (map show values)}";

  # ---------------------------------------------------------------------------------------------------------------- modules

  collected =
    given: module:
    let
      loaded = if isPath module || isString module then import module else module;
      value = if isFunction loaded then loaded given else loaded;
      isStructured = value ? options || value ? config;
      unknown = filter (name: !(elem name [ "options" "config" "imports" ])) (attrNames value);
    in
    if isStructured && unknown != [ ] then
      throw "A module has `${head unknown}' beside options and config"
    else
      concatMap (collected given) (value.imports or [ ])
      ++ [
        {
          options = value.options or { };
          config = if isStructured then value.config or { } else removeAttrs value [ "imports" ];
        }
      ];

  declaredTree =
    loc: trees:
    mapAttrs (
      name: _:
      let
        here = map (tree: tree.${name}) (filter (hasAttr name) trees);
        leaves = filter (tagged "option") here;
      in
      if leaves == [ ] then
        declaredTree (loc ++ [ name ]) here
      else if length here == 1 then
        head here
      else
        refuse (loc ++ [ name ]) "is declared more than once"
    ) (foldl' (result: tree: result // tree) { } trees);

  # For each option its description with value, priority and whether it is defined.
  evaluatedTree =
    loc: tree: configs:
    let
      sets = concatMap pushed configs;
    in
    mapAttrs (
      name: node:
      let
        here = map (set: set.${name}) (filter (hasAttr name) sets);
        path = loc ++ [ name ];
        default = if node ? default then [ (mkOptionDefault node.default) ] else [ ];
        result = resolved path node.type (here ++ default);
      in
      if tagged "option" node then
        node
        // result
        // {
          value = (node.apply or (value: value)) result.value;
          inherit path;
        }
      else
        evaluatedTree path node here
    ) tree;

  undeclared =
    loc: tree: configs:
    let
      sets = concatMap pushed configs;
    in
    concatMap (
      name:
      let
        here = map (set: set.${name}) (filter (hasAttr name) sets);
      in
      if !(tree ? ${name}) then
        [ (showPath (loc ++ [ name ])) ]
      else if tagged "option" tree.${name} then
        [ ]
      else
        undeclared (loc ++ [ name ]) tree.${name} here
    ) (names sets);

  valuesOf = mapAttrs (_name: node: if tagged "option" node then node.value else valuesOf node);

  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
    }:
    let
      given = specialArgs // {
        inherit lib options;
        config = values;
      };
      parts = concatMap (collected given) modules;
      configs = map (part: part.config) parts;
      tree = declaredTree prefix (map (part: part.options) parts);
      options = evaluatedTree prefix tree configs;
      values = valuesOf options;
      unknown = undeclared prefix tree configs;
    in
    {
      inherit options;
      config = if unknown == [ ] then values else throw "The option `${head unknown}' does not exist";
    };

  # ------------------------------------------------------------------------------------------------------------------ types

  scalar = name: check: {
    inherit name check;
    merge = equal;
  };

  types = rec {
    bool = scalar "boolean" isBool;
    str = scalar "string" isString;
    int = scalar "signed integer" isInt;
    ints.between =
      low: high: scalar "integer between ${toString low} and ${toString high}" (value: isInt value && value >= low && value <= high);
    port = ints.between 0 65535;
    path = scalar "path" (value: isDerivation value || isPath value || (isString value && hasPrefix "/" value));
    package = scalar "package" isDerivation;
    raw = scalar "raw value" (_value: true);
    enum = choices: scalar "one of ${toJSON choices}" (value: elem value choices);
    strMatching = pattern: scalar "string matching ${pattern}" (value: isString value && match pattern value != null);
    lines = scalar "strings of lines" isString // {
      merge = _loc: builtins.concatStringsSep "\n";
    };
    listOf = type: {
      name = "list of ${type.name}";
      check = isList;
      merge =
        loc: values:
        let
          entries = concatLists values;
        in
        concatLists (
          genList (
            index:
            let
              result = resolved (loc ++ [ "[${toString index}]" ]) type [ (elemAt entries index) ];
            in
            if result.isDefined then [ result.value ] else [ ]
          ) (length entries)
        );
    };
    attrsOf = type: {
      name = "attribute set of ${type.name}";
      check = value: isAttrs value && !isDerivation value;
      merge =
        loc: values:
        let
          sets = concatMap pushed values;
          results = listToAttrs (
            map (name: {
              inherit name;
              value = resolved (loc ++ [ name ]) type (map (set: set.${name}) (filter (hasAttr name) sets));
            }) (names sets)
          );
          defined = filter (name: results.${name}.isDefined) (attrNames results);
        in
        listToAttrs (
          map (name: {
            inherit name;
            inherit (results.${name}) value;
          }) defined
        );
    };
    nullOr = type: {
      name = "null or ${type.name}";
      check = value: value == null || type.check value;
      merge =
        loc: values:
        if all (value: value == null) values then
          null
        else if any (value: value == null) values then
          refuse loc "is defined both null and not null"
        else
          type.merge loc values;
    };
    oneOf = choices: {
      name = builtins.concatStringsSep " or " (map (type: type.name) choices);
      check = value: any (type: type.check value) choices;
      merge =
        loc: values:
        let
          fitting = filter (type: all type.check values) choices;
        in
        if fitting == [ ] then refuse loc "has definitions of different types" else (head fitting).merge loc values;
    };
    submodule = module: {
      name = "submodule";
      check = value: isPlain value || isFunction value;
      merge =
        loc: values:
        (evalModules {
          modules = [ module ] ++ values;
          prefix = loc;
        }).config;
    };
  };

  # -------------------------------------------------------------------------------------------------------------- functions

  mkOption = description: description // { _type = "option"; };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOptionDefault = mkOverride 1500;
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      start = stringLength text - stringLength suffix;
    in
    start >= 0 && substring start (-1) text == suffix;

  recursiveUpdate =
    left: right:
    if isPlain left && isPlain right then
      left // mapAttrs (name: value: if left ? ${name} then recursiveUpdate left.${name} value else value) right
    else
      right;

  lib = {
    inherit
      attrNames
      concatMap
      elem
      evalModules
      filter
      foldl'
      hasPrefix
      hasSuffix
      head
      isDerivation
      length
      mapAttrs
      mkIf
      mkOption
      mkOptionDefault
      mkOverride
      recursiveUpdate
      tail
      types
      ;
    inherit (builtins) concatStringsSep;

    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    mkMerge = contents: {
      _type = "merge";
      inherit contents;
    };
    mkEnableOption =
      what:
      mkOption {
        type = types.bool;
        default = false;
        example = true;
        description = "Whether to enable ${what}.";
      };
    literalExpression = text: {
      _type = "literalExpression";
      inherit text;
    };

    optional = condition: value: if condition then [ value ] else [ ];
    optionalString = condition: text: if condition then text else "";
    optionals = condition: values: if condition then values else [ ];
    genAttrs =
      keys: make:
      listToAttrs (
        map (name: {
          inherit name;
          value = make name;
        }) keys
      );
    setAttrByPath = path: value: if path == [ ] then value else { ${head path} = lib.setAttrByPath (tail path) value; };
    getAttrFromPath = path: set: foldl' (result: name: result.${name}) set path;
    importJSON = path: builtins.fromJSON (builtins.readFile path);
    concatMapStrings = make: values: builtins.concatStringsSep "" (map make values);
    splitString = separator: text: filter isString (builtins.split (lib.escapeRegex separator) text);
    escapeRegex = builtins.replaceStrings [ "." "+" "*" "?" "(" ")" "|" ] [ "\\." "\\+" "\\*" "\\?" "\\(" "\\)" "\\|" ];
    removePrefix =
      prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    hasInfix =
      infix: text: builtins.replaceStrings [ infix ] [ "" ] text != text;
    getExe = package: "${package}/bin/${package.meta.mainProgram or (throw "getExe: ${package.name} has no meta.mainProgram")}";
    makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
    fileset = {
      unions =
        files: map (file: if builtins.pathExists file then file else throw "fileset: ${toString file} does not exist") files;
      toSource =
        { root, fileset }:
        builtins.deepSeq fileset {
          type = "derivation";
          name = "source";
          outPath = "/nix/store/source-of-${baseNameOf (toString root)}";
        };
    };
    licenses.mit = {
      spdxId = "MIT";
    };
    platforms.linux = [
      "x86_64-linux"
      "aarch64-linux"
      "riscv64-linux"
    ];
  };
in
# Callers with a function's arguments are checked by Nix itself; this only keeps the list above honest.
assert functionArgs evalModules != { };
lib

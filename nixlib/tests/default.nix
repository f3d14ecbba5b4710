# All tests that are values: { suite.test = { expr; expected; }; }. Evaluates to
# what went wrong, by name, and how many there were:
#
#   nix-instantiate --eval --strict --json tests -A failed
#   nix-instantiate --eval --strict --json tests -A failed --arg nixpkgs /path/to/nixpkgs
{
  # Any nixpkgs, or a checkout of its lib alone.
  nixpkgs ? ../mini,
}:
let
  lib = import (nixpkgs + "/lib");
  inherit (builtins) attrNames concatMap;

  suites = {
    conformance = import ./conformance.nix { inherit lib; };
    modules = import ./conformance-modules.nix { inherit lib; };
    types = import ./conformance-types.nix { inherit lib; };
    manifest = import ./manifest.nix { inherit lib nixpkgs; };
    configurations = import ./configurations.nix { inherit lib nixpkgs; };
    bundle = import ./bundle.nix { inherit lib nixpkgs; };
    profiles = import ./profiles.nix { inherit lib nixpkgs; };
    examples = import ./examples.nix { };
  }
  // import ./modules { inherit lib nixpkgs; };

  # `when` says whether this lib has what the test is about.
  run =
    suite:
    concatMap (
      name:
      let
        test = suites.${suite}.${name};
        got = builtins.tryEval (builtins.deepSeq test.expr test.expr);
        # Failing is an expectation too.
        outcome = if got.success then got.value else "fails";
      in
      if !(test.when or true) then
        [ ]
      else
        [
          {
            name = "${suite}.${name}";
            ok = outcome == test.expected;
            inherit outcome;
            inherit (test) expected;
          }
        ]
    ) (attrNames suites.${suite});

  results = concatMap run (attrNames suites);
in
{
  count = builtins.length results;
  failed = builtins.filter (r: !r.ok) results;
}

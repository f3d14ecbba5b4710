# What the network's own modules assert, judged before anything is handed out.
{ lib, config }:
let
  failed = lib.filter (a: !a.assertion) config.assertions;
in
value:
if failed == [ ] then
  value
else
  throw "the network ${config.network.name} fails its own assertions:${lib.concatMapStrings (a: "\n- ${a.message}") failed}"

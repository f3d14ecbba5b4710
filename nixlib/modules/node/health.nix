# nodes.<name>.health: checks that must pass after the switch, or before it.
{ lib, compat, ... }:
{
  health = import ../health { inherit lib compat; };
}

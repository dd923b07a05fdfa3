"""How soon each way of choosing finds the best materials of a pool of crystals whose properties are known."""

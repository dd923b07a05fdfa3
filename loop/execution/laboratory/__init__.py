"""From a campaign's laboratory to instruments that can be used: bound, guarded, checked."""

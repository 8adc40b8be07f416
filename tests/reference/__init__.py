"""Published rules of other protocols, and how Sluice compares."""

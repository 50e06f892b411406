"""From a sealed batch to a proof: anchorer, city ledger, and the formats of the proof."""

"""From a track on the road to a speed with its uncertainty, or to a refusal."""

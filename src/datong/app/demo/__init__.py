"""The demonstration: the city of Anlan (安澜市, invented), walked through the main job from contract to revocation."""

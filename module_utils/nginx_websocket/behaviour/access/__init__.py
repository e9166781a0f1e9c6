"""Who is let in, location by location, at the phase where nginx asks."""

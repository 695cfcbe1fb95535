"""A Pulsoid room server of our own."""

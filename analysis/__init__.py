"""From recorded tables to figures that can be trusted."""

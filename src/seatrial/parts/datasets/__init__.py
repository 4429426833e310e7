"""How data arrives: each part gives named columns, some rows at a time."""

"""The rules by family, one file each: what is checked, and what each finding means."""

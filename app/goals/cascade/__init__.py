"""The cascade: a goal is split into goals of teams, members or shorter periods, checked, and planned anew (G4)."""

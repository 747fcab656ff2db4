"""Files of rows (CSV, XLSX) that become events, records, members, teams and targets."""

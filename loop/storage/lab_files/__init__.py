"""Files beside a lab file, which all campaigns on it share."""

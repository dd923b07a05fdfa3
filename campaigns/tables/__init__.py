"""Tables as labs write them: files, headers, units, cells."""

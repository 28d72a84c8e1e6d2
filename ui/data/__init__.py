"""Parts of the pages about runs: Runs, Byte models, Upload."""

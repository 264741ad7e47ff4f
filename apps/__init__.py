"""The labs: one file each, widgets and wiring only; every `build()` gives a `gr.Blocks` and runs alone."""

"""Pictures of results: grids of images, plotly figures, clips."""

"""Parts of the Serving and Planner pages."""

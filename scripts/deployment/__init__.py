"""What is deployed, in which order: a plan that knows no tool, for whoever carries it out."""

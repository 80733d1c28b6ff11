"""Training: data and a recipe become weights - adapters, dense models, classifiers."""

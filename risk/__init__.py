"""May this order leave? Pure: values in, verdicts out."""

"""The published models on this computer: what lies where, fetched from Hugging Face, or taken from files that the user has."""

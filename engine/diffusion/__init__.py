"""What the published pipelines share: attention, sampling, memory, checkpoints. Needs the extra `diffusion`."""

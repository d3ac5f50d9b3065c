"""CogVideoX's transformer with the one module that DropletVideo adds: an embedding of the frame rate beside that of the timestep."""

from diffusers import CogVideoXTransformer3DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps


class DropletVideoTransformer3DModel(CogVideoXTransformer3DModel):
    """Takes `ofs=` the frame rate (b,) in frames a second, any positive number; else it is called as its parent.

    hidden_states (b, f, 33, h, w): noise 16, mask 1, masked video 16 (SPEC §3, §4). Cache hooks, group offload, layerwise casting and
    LoRA loading are the parent's.
    """

    # The parent's forward reads these names; the checkpoint has the others. The parent's __init__ sets them to None.
    ofs_proj = property(lambda self: self.fps_proj, lambda self, value: None)
    ofs_embedding = property(lambda self: self.fps_embedding, lambda self, value: None)

    @register_to_config
    def __init__(
        self,
        num_attention_heads: int = 30,
        attention_head_dim: int = 64,
        in_channels: int = 16,
        out_channels: int | None = 16,
        flip_sin_to_cos: bool = True,
        freq_shift: int = 0,
        time_embed_dim: int = 512,
        text_embed_dim: int = 4096,
        num_layers: int = 30,
        dropout: float = 0.0,
        attention_bias: bool = True,
        sample_width: int = 90,
        sample_height: int = 60,
        sample_frames: int = 49,
        patch_size: int = 2,
        patch_size_t: None = None,
        temporal_compression_ratio: int = 4,
        max_text_seq_length: int = 226,
        activation_fn: str = "gelu-approximate",
        timestep_activation_fn: str = "silu",
        norm_elementwise_affine: bool = True,
        norm_eps: float = 1e-5,
        spatial_interpolation_scale: float = 1.875,
        temporal_interpolation_scale: float = 1.0,
        use_rotary_positional_embeddings: bool = False,
        add_noise_in_inpaint_model: bool = False,
    ) -> None:
        # Spelled out, as register_to_config keeps only the arguments that it sees here (ERRATA 4).
        super().__init__(
            num_attention_heads=num_attention_heads,
            attention_head_dim=attention_head_dim,
            in_channels=in_channels,
            out_channels=out_channels,
            flip_sin_to_cos=flip_sin_to_cos,
            freq_shift=freq_shift,
            time_embed_dim=time_embed_dim,
            text_embed_dim=text_embed_dim,
            num_layers=num_layers,
            dropout=dropout,
            attention_bias=attention_bias,
            sample_width=sample_width,
            sample_height=sample_height,
            sample_frames=sample_frames,
            patch_size=patch_size,
            temporal_compression_ratio=temporal_compression_ratio,
            max_text_seq_length=max_text_seq_length,
            activation_fn=activation_fn,
            timestep_activation_fn=timestep_activation_fn,
            norm_elementwise_affine=norm_elementwise_affine,
            norm_eps=norm_eps,
            spatial_interpolation_scale=spatial_interpolation_scale,
            temporal_interpolation_scale=temporal_interpolation_scale,
            use_rotary_positional_embeddings=use_rotary_positional_embeddings,
        )
        inner = num_attention_heads * attention_head_dim
        self.fps_proj = Timesteps(inner, flip_sin_to_cos, freq_shift)
        self.fps_embedding = TimestepEmbedding(inner, time_embed_dim, timestep_activation_fn)

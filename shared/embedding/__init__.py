"""The sentence model: of the chunker for chunks, of the gateway for what people search."""

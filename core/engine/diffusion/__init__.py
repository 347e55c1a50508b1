"""A generator of labelled images: latent diffusion, class by class."""

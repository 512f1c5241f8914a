"""Recognition: page images become words, by Tesseract or by an HTTP provider."""

"""Programs that make files of this repository; no training needs them."""

"""镇指挥中心: opens cases, decides what they are about, calls the platforms, reviews, follows up, closes."""

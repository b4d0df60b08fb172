"""Training runs in series: Table IV's systems, their results, and the page that shows them."""

"""The most frequent French first names, by which a first and last name are told in text.

The names that most living persons in France bear, of both sexes, written down from common knowledge. A name that is
not here is not found: the detector is list-based, and measured on names of the list.
"""

_NAMES = """
Adam Adrien Agathe Agnès Aimé Alain Albert Alexandra Alexandre Alexis Alice Alicia Amandine Amélie Anaïs André
Andrée Angélique Anne Annie Anthony Antoine Antoinette Ariane Armand Arnaud Arthur Audrey Aurélie Aurélien Axel
Baptiste Béatrice Benjamin Benoît Bernadette Bernard Bertrand Brigitte Bruno Camille Carole Caroline Catherine
Cécile Cédric Céline Chantal Charlène Charles Charlotte Chloé Christelle Christian Christiane Christine Christophe
Claire Clara Claude Claudine Clémence Clément Colette Coralie Corinne Cyril Damien Daniel Danielle David Delphine
Denis Denise Didier Dimitri Dominique Dylan Édith Édouard Éléonore Élisabeth Élise Élodie Emma Emmanuel Emmanuelle
Enzo Éric Estelle Ethan Étienne Eugénie Évelyne Fabien Fabienne Fabrice Fanny Fatima Fernand Florence Florent
Florian Franck François Françoise Frédéric Frédérique Gabriel Gabrielle Gaël Gaëlle Geneviève Geoffrey Georges
Gérard Germaine Ghislaine Gilbert Gilles Ginette Gisèle Grégory Guillaume Guy Gwenaëlle Hélène Henri Henriette Hervé
Hugo Huguette Inès Irène Isabelle Jacqueline Jacques Jade Jean Jeanne Jeannine Jérémy Jérôme Joël Joëlle Johanna
Jonathan Jordan Joseph Josette Josiane Jules Julia Julie Julien Juliette Justine Karima Karine Kévin Laetitia Laura
Laure Laurence Laurent Léa Lena Léo Liliane Lina Lise Loïc Lola Louis Louise Lucas Lucette Lucie Lucien Lucienne
Ludovic Lydia Lydie Madeleine Manon Marc Marcel Marcelle Margaux Margot Marguerite Marie Marine Marion Marjorie
Martial Martine Mathieu Mathilde Matthieu Maurice Mélanie Mélissa Michel Michèle Micheline Mickaël Mireille Mohamed
Monique Morgane Muriel Myriam Nadège Nadia Nadine Nathalie Nathan Nicolas Nicole Noah Noémie Océane Odette Odile
Olivier Oriane Ophélie Pascal Pascale Patrice Patricia Patrick Paul Paulette Pauline Philippe Pierre Pierrette
Quentin Rachel Raymond Raymonde Régine Régis Rémi Rémy René Renée Richard Robert Robin Rodolphe Roger Roland Romain
Romane Rosalie Sabine Sabrina Samuel Sandra Sandrine Sarah Sébastien Serge Séverine Simon Simone Solange Sonia
Sophie Stéphane Stéphanie Suzanne Sylvain Sylvette Sylvie Théo Thérèse Thibault Thierry Thomas Tiphaine Tom Valentin
Valentine Valérie Vanessa Véronique Victor Victoire Vincent Violette Virginie Viviane Xavier Yann Yannick Yasmine
Yolande Yves Yvette Yvonne Zoé
"""
FIRST_NAMES = tuple(_NAMES.split())

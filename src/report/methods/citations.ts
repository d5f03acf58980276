/** The works that a methods paragraph may rest on. A run cites those that apply to it, no others. */

export interface Citation {
  /** As running text names it. */
  text: string;
  /** As a list of references names it. */
  reference: string;
  bibtex: string;
}

export const citations = {
  bengio2003neural: {
    text: 'Bengio et al., 2003',
    reference:
      'Bengio, Y., Ducharme, R., Vincent, P., Jauvin, C. (2003). A Neural Probabilistic Language Model. Journal of Machine Learning Research 3, 1137-1155.',
    bibtex: `@article{bengio2003neural,
  author  = {Bengio, Yoshua and Ducharme, R{\\'e}jean and Vincent, Pascal and Jauvin, Christian},
  title   = {A Neural Probabilistic Language Model},
  journal = {Journal of Machine Learning Research},
  volume  = {3},
  pages   = {1137--1155},
  year    = {2003}
}`,
  },
  radford2018improving: {
    text: 'Radford et al., 2018',
    reference:
      'Radford, A., Narasimhan, K., Salimans, T., Sutskever, I. (2018). Improving Language Understanding by Generative Pre-Training. OpenAI.',
    bibtex: `@techreport{radford2018improving,
  author      = {Radford, Alec and Narasimhan, Karthik and Salimans, Tim and Sutskever, Ilya},
  title       = {Improving Language Understanding by Generative Pre-Training},
  institution = {OpenAI},
  year        = {2018}
}`,
  },
  radford2019language: {
    text: 'Radford et al., 2019',
    reference:
      'Radford, A., Wu, J., Child, R., Luan, D., Amodei, D., Sutskever, I. (2019). Language Models are Unsupervised Multitask Learners. OpenAI.',
    bibtex: `@techreport{radford2019language,
  author      = {Radford, Alec and Wu, Jeffrey and Child, Rewon and Luan, David and Amodei, Dario and Sutskever, Ilya},
  title       = {Language Models are Unsupervised Multitask Learners},
  institution = {OpenAI},
  year        = {2019}
}`,
  },
  vaswani2017attention: {
    text: 'Vaswani et al., 2017',
    reference:
      'Vaswani, A., Shazeer, N., Parmar, N., Uszkoreit, J., Jones, L., Gomez, A. N., Kaiser, Ł., Polosukhin, I. (2017). Attention Is All You Need. Advances in Neural Information Processing Systems 30.',
    bibtex: `@inproceedings{vaswani2017attention,
  author    = {Vaswani, Ashish and Shazeer, Noam and Parmar, Niki and Uszkoreit, Jakob and Jones, Llion and Gomez, Aidan N. and Kaiser, {\\L}ukasz and Polosukhin, Illia},
  title     = {Attention Is All You Need},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {30},
  year      = {2017}
}`,
  },
  wang2024qwen2vl: {
    text: 'Wang et al., 2024',
    reference:
      "Wang, P., Bai, S., Tan, S., et al. (2024). Qwen2-VL: Enhancing Vision-Language Model's Perception of the World at Any Resolution. arXiv:2409.12191.",
    bibtex: `@article{wang2024qwen2vl,
  author  = {Wang, Peng and Bai, Shuai and Tan, Sinan and Wang, Shijie and Fan, Zhihao and Bai, Jinze and Chen, Keqin and Liu, Xuejing and Wang, Jialin and Ge, Wenbin and Fan, Yang and Dang, Kai and Du, Mengfei and Ren, Xuancheng and Men, Rui and Liu, Dayiheng and Zhou, Chang and Zhou, Jingren and Lin, Junyang},
  title   = {{Qwen2-VL}: Enhancing Vision-Language Model's Perception of the World at Any Resolution},
  journal = {arXiv preprint arXiv:2409.12191},
  year    = {2024}
}`,
  },
  liu2023visual: {
    text: 'Liu et al., 2023',
    reference:
      'Liu, H., Li, C., Wu, Q., Lee, Y. J. (2023). Visual Instruction Tuning. Advances in Neural Information Processing Systems 36.',
    bibtex: `@inproceedings{liu2023visual,
  author    = {Liu, Haotian and Li, Chunyuan and Wu, Qingyang and Lee, Yong Jae},
  title     = {Visual Instruction Tuning},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {36},
  year      = {2023}
}`,
  },
  hu2022lora: {
    text: 'Hu et al., 2022',
    reference:
      'Hu, E. J., Shen, Y., Wallis, P., Allen-Zhu, Z., Li, Y., Wang, S., Wang, L., Chen, W. (2022). LoRA: Low-Rank Adaptation of Large Language Models. International Conference on Learning Representations.',
    bibtex: `@inproceedings{hu2022lora,
  author    = {Hu, Edward J. and Shen, Yelong and Wallis, Phillip and Allen-Zhu, Zeyuan and Li, Yuanzhi and Wang, Shean and Wang, Lu and Chen, Weizhu},
  title     = {{LoRA}: Low-Rank Adaptation of Large Language Models},
  booktitle = {International Conference on Learning Representations},
  year      = {2022}
}`,
  },
  kalajdzievski2023rank: {
    text: 'Kalajdzievski, 2023',
    reference:
      'Kalajdzievski, D. (2023). A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA. arXiv:2312.03732.',
    bibtex: `@article{kalajdzievski2023rank,
  author  = {Kalajdzievski, Damjan},
  title   = {A Rank Stabilization Scaling Factor for Fine-Tuning with {LoRA}},
  journal = {arXiv preprint arXiv:2312.03732},
  year    = {2023}
}`,
  },
  loshchilov2019decoupled: {
    text: 'Loshchilov and Hutter, 2019',
    reference:
      'Loshchilov, I., Hutter, F. (2019). Decoupled Weight Decay Regularization. International Conference on Learning Representations.',
    bibtex: `@inproceedings{loshchilov2019decoupled,
  author    = {Loshchilov, Ilya and Hutter, Frank},
  title     = {Decoupled Weight Decay Regularization},
  booktitle = {International Conference on Learning Representations},
  year      = {2019}
}`,
  },
  guo2017calibration: {
    text: 'Guo et al., 2017',
    reference:
      'Guo, C., Pleiss, G., Sun, Y., Weinberger, K. Q. (2017). On Calibration of Modern Neural Networks. Proceedings of the 34th International Conference on Machine Learning, 1321-1330.',
    bibtex: `@inproceedings{guo2017calibration,
  author    = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  title     = {On Calibration of Modern Neural Networks},
  booktitle = {Proceedings of the 34th International Conference on Machine Learning},
  series    = {Proceedings of Machine Learning Research},
  volume    = {70},
  pages     = {1321--1330},
  year      = {2017}
}`,
  },
} satisfies Record<string, Citation>;

export type CitationKey = keyof typeof citations;

/** A picture that cannot be decoded, in words for people; whoever knows the file's name adds it. */
export class BrokenImage extends Error {
  /** What to do about it, where that is not simply to fetch the file again. */
  readonly fix?: string;

  constructor(what: string, fix?: string) {
    super(what);
    this.fix = fix;
  }
}

export const saveAnew = 'Save it as PNG or JPEG with 8 bits a channel.';
